/// What programs in Go and C take of the same floors.
///
/// They were measured on another machine of the kind, by running those programs: only the ratios are for comparing.
struct PeerTable {
  let title: String
  let columns: [String]
  let rows: [(name: String, ratios: [Double?])]

  static let all = [
    PeerTable(
      title: "One record per commit, no flush (floor: one `pwrite` and a store into a mapped header)",
      columns: ["100 B", "1 KiB", "4 KiB", "64 KiB"],
      floor: [891, 1_507, 4_224, 28_274],
      [
        ("tidwall/wal", [1_633, 5_366, 18_639, 217_034]), ("NATS file store", [1_979, 2_818, 5_977, 39_768]),
        ("RocksDB", [3_708, 5_601, 13_462, 98_305]), ("Go Immuta", [6_473, 6_825, 10_549, 30_045]),
        ("SQLite, synchronous OFF", [9_948, 13_298, 22_275, 133_270]),
      ]),
    PeerTable(
      title: "64 records per commit, no flush (floor: one `pwrite` for 64)",
      columns: ["100 B", "1 KiB", "4 KiB", "64 KiB"],
      floor: [83, 434, 1_322, 14_203],
      [
        ("tidwall/wal", [386, 4_833, 12_279, 170_421]), ("SQLite", [773, 4_064, 10_213, 132_971]),
        ("RocksDB", [856, 2_150, 6_748, 103_920]), ("NATS file store", [2_040, 2_862, 6_140, 43_655]),
        ("Go Immuta", [4_917, 5_865, 7_854, 29_759]),
      ]),
    PeerTable(
      title: "A flush per commit, 1 KiB (floor: one writer, `pwrite` + `fdatasync`, growing file)",
      columns: ["1 writer", "16 writers"],
      floor: [195, 195],
      [
        ("raft-wal", [162, 202]), ("SQLite, synchronous FULL", [163, 229]), ("tidwall/wal", [198, 199]),
        ("RocksDB", [219, 55]), ("NATS file store", [219, 255]), ("Go Immuta, fastWrite off", [618, 640]),
        ("16 threads, group commit in C", [nil, 42]),
      ]),
    PeerTable(
      title: "Reading 500k × 1 KiB (floor: `pread` of 1 MiB; one `pread`)",
      columns: ["in order", "one at random"],
      floor: [132, 1_650],
      [
        ("SQLite", [530, 5_300]), ("tidwall/wal", [619, 4_800]), ("NATS file store", [638, 2_143_000]),
        ("RocksDB", [1_271, 6_200]), ("Go Immuta", [2_716, 321_750_000]), ("raft-wal", [4_817, 10_600]),
      ]),
    PeerTable(
      title: "Waiting streams, 100 B, from commit until the last has it (floor: threads on a futex)",
      columns: ["1", "100", "1,000"],
      floor: [11, 368, 4_633],
      [("Go Immuta", [8.5, 386, 3_623])]),
  ]

  private init(title: String, columns: [String], floor: [Double], _ rows: [(String, [Double?])]) {
    self.title = title
    self.columns = columns
    self.rows = rows.map { name, times in (name, zip(times, floor).map { time, floor in time.map { $0 / floor } }) }
  }
}
