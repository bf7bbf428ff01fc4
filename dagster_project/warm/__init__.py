"""A process that has imported everything, and starts commands in no time by forking itself.

Belongs here: what any program needs for that, with the standard library alone, because a command imports it before anything else. Does not
belong here: which programs there are and what they import (`warm_process`), and when a command asks for it (`start`).
"""
