"""What the screens say, as pure functions from a scene and a width to lines of text; Textual is not imported
here.
"""
