"""Another machine over ssh: dltk's light part is copied there, works in its own folder, and removes it at the end.

One ssh connection, one Python process at its other end. The process reads requests from its standard input and ends
with it: whatever happens on this machine, a closed connection removes the folder there.
"""
