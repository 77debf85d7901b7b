"""What the worker can be asked to do: one frozen record a job, and one frozen record for its result.

A job reads files and writes files, so a request holds paths and never bytes of models or shards. Given the
same files, a job gives the same bytes on the same machine and build; merging gives them on every CPU.

`device`, as torch spells it ("cpu", "cuda:0"; of several processes "cpu" or "cuda"), is where a job trains or
measures: always the one that the operator names. What a round is measured by is held against what other nodes
measure, so a job first looks whether its device computes what a CPU does, and else measures on the CPU; its
result says which it was (`MeasuredOn`). Merging and deriving run no network.
"""
