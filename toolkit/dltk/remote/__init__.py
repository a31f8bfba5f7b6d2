"""Another machine over ssh: dltk's light side goes there by itself, works in a folder of its own, and leaves nothing.

One ssh connection, one Python process at its other end. The process reads requests from its standard input and ends
with it: whatever happens to this side, a closed connection takes the folder away over there.
"""
