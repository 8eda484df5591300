"""Where samples are taken: on this machine, many at a time.

`local` runs coroutines and jobs, `attempt` takes one sample, `bench` takes many and journals each as it ends.
"""
