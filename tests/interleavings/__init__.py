"""Every order in which the steps of a few clients can come, tried one by one.

Flows are generators: they stop where they send a request, and where they wait. One scheduler
drives the flows of two or three clients over a site and a store in memory, with the real vault
code between them, and decides at each step who goes on. `explore` tries the orders, `world`
watches what must never happen in any of them, `mutants` puts mistakes in that it has to notice.
"""
