-- Append items to a stream of a run: "stream" is what the run tells, "input" what it is told.
-- include: append
-- ARGV[7] run id  [8] claim of the run itself, "" when others append  [9] kind: stream, input  [10] the stream's name
-- ARGV[11] 8 characters that name this call, so that repeating it changes nothing  [12] most items  [13] most bytes
-- ARGV[14] most streams of a run  [15] 1 when nothing is to follow  [16...] items, JSON
-- Derives :run:<id>, :stream:<id>:<name>, :input:<id>:<name>, :streams:<id>. An item's entry is its index, from 1.
-- Returns {1, how many items there are} when written (or written before), {2, how many there would be}, {3, bytes} and
--   {4, streams} when too much, {5, 0} when the stream is closed, {0, status} when the claim is over, the run has ended
--   or is unknown ("MISSING").
return (append())
