"""Where samples are taken: on this machine, many at a time.

`local` runs coroutines and jobs, `attempt` takes one sample, `bench` takes many and journals each as it ends,
at the `pace` that an endpoint bears and under the eyes of `watch`. `apart` takes a sample in a process of its
own, which runs `isolated`.
"""
