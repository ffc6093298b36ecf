"""How a training clip is made of videos and stills: scenes, motion, appearance."""
