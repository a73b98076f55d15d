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
