"""What the worker can be asked to do: one frozen record a job, and one frozen record for its result.

A job reads files and writes files, so a request holds paths and never bytes of models or shards. Given the
same files, a job gives the same bytes on the same machine and build; merging gives them on every CPU.

`device`, as torch spells it ("cpu", "cuda:0"; of several processes "cpu" or "cuda"), is where a job trains or
measures. A node trains on the device that its operator names and leaves scoring and merging on the CPU: their
numbers are held against those of other nodes, within a round's `score_tolerance`. The frames by which latents
are aligned are encoded on the CPU in any case, and merging itself runs no network.
"""
