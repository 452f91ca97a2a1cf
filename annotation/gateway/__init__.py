"""The labelers' way to Label Studio: one log-in, ours, and behind it nothing but their own work.

Community Label Studio lets whoever is logged in read and change everything, so nobody but this
service speaks to it. A request passes only where `urls` names its route; nothing of it is sent on
as it came: the path, the query, the headers and the body are written anew from what was understood.
"""
