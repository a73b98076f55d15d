/// What a log is called in reports: a namespace, or a partition of a store.
enum LogKind: String {
  case namespace
  case partition

  /// A column's title.
  var title: String { rawValue.uppercased() }

  /// How one of them is called in a sentence: namespaces have names of their own, partitions only numbers.
  func label(_ name: String) -> String {
    switch self {
    case .namespace: name
    case .partition: "partition \(name)"
    }
  }
}

extension JSONObject {
  /// Adds the member that says which log it is about: the name of a namespace, or the number of a partition.
  mutating func add(_ kind: LogKind, _ name: String) {
    if kind == .partition, let number = Int(name) { add(kind.rawValue, number) } else { add(kind.rawValue, name) }
  }
}
