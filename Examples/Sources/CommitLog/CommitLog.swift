import ImmutaLogStore

/// A commit log: a table's changes, in the order of each row, from which replicas are kept.
@main struct CommitLog {
  static func main() async throws {
    let store = try LogStore(directory: "table-changes/", partitions: 4)
    defer { store.close() }

    // Several writers at once. A row's changes have its name as their key, so they stay in order.
    // A later run goes on with the versions of the ones before it.
    let (writers, changes) = (4, 250)
    let before = try (0..<store.partitionCount).reduce(0) { try $0 + store.partition($1).count } / writers
    let last = before + changes
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          for version in before + 1...last {
            try await store.append("row-\(writer)=\(version)", key: "row-\(writer)")
          }
        }
      }
      try await group.waitForAll()
    }

    // A replica applies them, a task for each partition.
    let replica = Replica()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for partition in 0..<store.partitionCount {
        group.addTask {
          var stream = store.stream(partition: partition)
          while let message = try await stream.next(timeout: .zero) { await replica.apply(message.text) }
        }
      }
      try await group.waitForAll()
    }
    let rows = await replica.rows
    precondition(rows == Dictionary(uniqueKeysWithValues: (0..<writers).map { ("row-\($0)", last) }))
    print("commit log: the replica has \(rows.count) rows, each at version \(last)")
  }
}

/// The table as it is after the changes so far.
actor Replica {
  private(set) var rows: [String: Int] = [:]

  func apply(_ change: String) {
    let parts = change.split(separator: "=")
    guard parts.count == 2, let version = Int(parts[1]) else { return }
    precondition(version == rows[String(parts[0]), default: 0] + 1, "a change is missing, or came too early")
    rows[String(parts[0])] = version
  }
}
