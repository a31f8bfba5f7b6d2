"""dltk's own recipes, installed as `dltk.recipes`. Each is one short file; copy one to start your own."""
