"""Where things stand on the screens. In Python rather than a file of its own: read with the program, never
in its loop.
"""

CSS = """
Page { layout: vertical; overflow: hidden; }
#title { height: 1; }
#keys { height: auto; }
#tiny { display: none; }
.-tiny #tiny { display: block; }
.-tiny #body, .-tiny #banner, .-tiny #keys { display: none; }
#body { height: 1fr; }

App.-ascii Panel { border: ascii ansi_default; }

#scroll { scrollbar-size: 0 0; height: 1fr; }
#top { height: auto; }
#this-box, #hardware { width: 1fr; }
.-narrow #top { layout: vertical; }
.-narrow #this-box { width: 100%; }
#hardware-below, .-narrow #hardware { display: none; }
.-narrow #hardware-below { display: block; }
.-narrow #scroll Panel { border: none; border-top: solid ansi_default; padding: 0; }
App.-ascii .-narrow #scroll Panel { border: none; border-top: ascii ansi_default; }

#sides { height: 1fr; }
#checks { width: 30; height: 100%; }
#found { width: 1fr; height: 100%; }
.-narrow #checks { width: 28; }
.-broad #checks { width: 42; }

#only { height: 1fr; }

#steps { height: 1fr; }
#progress { display: none; padding: 0 2; }
#log { display: none; height: auto; }
.-progress #progress, .-progress #log { display: block; }
"""
