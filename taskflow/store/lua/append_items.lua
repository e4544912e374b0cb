-- Append items to a stream of a run: kind "stream" goes out from the run, "input" comes in to it.
-- ARGV[7] id of the run  [8] claim of the run itself, "" for another caller  [9] kind: stream, input  [10] name of the stream
--   [11] nonce of this call, 8 characters, so that a repeated call changes nothing  [12] most_items  [13] most_bytes
--   [14] most_streams of a run  [15] is_last: 1 when nothing is to follow  [16...] items, JSON
-- Derives :run:<id>, :stream:<id>:<name>, :input:<id>:<name>, :streams:<id>. An item's entry is its index, from 1.
-- Returns {1, how many items there are} when written (or written before), {2, how many there would be}, {3, bytes} and
--   {4, streams} when too much, {5, 0} when the stream is closed, {0, status} when the claim or the run has ended, or the
--   run is unknown ("MISSING").
return (append({
  id = id, claim = claim, kind = kind, name = name, nonce = nonce, most_items = most_items, most_bytes = most_bytes,
  most_streams = most_streams, is_last = is_last == "1", items = items,
}))
