"""dltk: from a folder of samples to a file that runs on an edge device and is proven to give the same predictions.

Nothing is imported here, so that `import dltk.edge` stays light.
"""
