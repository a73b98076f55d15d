/// What a log is called in addresses and answers: a namespace by its name, a partition of a store by its number.
///
/// Namespaces come before partitions, and partitions in the order of their numbers.
enum LogName: Hashable, Comparable, Sendable {
  case namespace(String)
  case partition(Int)

  /// No namespace has a colon in its name.
  private static let partitionPrefix = "partition:"

  /// As ``description`` writes it. Any other text is the name of a namespace, which may be none that a namespace can have.
  init(_ text: String) {
    let digits = text.dropFirst(Self.partitionPrefix.count)
    if text.hasPrefix(Self.partitionPrefix), let number = Int(digits), number >= 0, digits == "\(number)" {
      self = .partition(number)
    } else {
      self = .namespace(text)
    }
  }

  /// The number of a partition; nil for a namespace.
  var partition: Int? {
    if case .partition(let number) = self { number } else { nil }
  }

  /// Of the file that is appended to, as long as the log has only one.
  var fileName: String {
    switch self {
    case .namespace(let name): "\(name).log"
    case .partition(let number): "\(number).bilog"
    }
  }

  /// How a file with one of its records is called.
  func fileName(ofRecord number: Int) -> String {
    switch self {
    case .namespace(let name): "\(name)-\(number).bin"
    case .partition(let partition): "partition-\(partition)-\(number).bin"
    }
  }
}

extension LogName: CustomStringConvertible {
  var description: String {
    switch self {
    case .namespace(let name): name
    case .partition(let number): "\(Self.partitionPrefix)\(number)"
    }
  }
}
