"""How well fraud is found on simulated card logs, and how fast events are counted and decided on."""
