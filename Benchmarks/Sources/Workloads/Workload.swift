/// One kind of work, and those who do it: Immuta, the floor, and what else a program could use.
///
/// All of them do the same work on the same machine in the same run, in turn, so that what counts is their ratio.
package struct Workload: Sendable {
  package let name: String
  package let section: Section
  package let unit: Unit
  package let bar: Bar?
  /// Makes what the work needs, for example a log to read, in the directory, which is removed when all is measured.
  let prepare: @Sendable (_ bench: Bench, _ directory: String) async throws -> [Contender]

  init(
    _ name: String, _ section: Section, unit: Unit = .time(per: "record"), bar: Bar? = nil,
    prepare: @escaping @Sendable (_ bench: Bench, _ directory: String) async throws -> [Contender]
  ) {
    self.name = name
    self.section = section
    self.unit = unit
    self.bar = bar
    self.prepare = prepare
  }

  /// The tables of the report, in its order.
  package enum Section: String, CaseIterable, Sendable {
    case headline = "The benchmarks of Go Immuta's README"
    case append = "Append, one record per commit, no flush"
    case batch = "Append, 64 records per commit, no flush"
    case crowd = "Append from many tasks at once, no flush; the floor is one task"
    case synced = "Append, stable when it returns"
    case read = "Read"
    case consume = "Consumers and keys; the floor is the calls that are needed"
    case open = "Open"
    case wait = "Waiting streams"
    case follow = "Following a log by its files, as from another process"
    case deliver = "Streams that keep up with a writer"
    case send = "A LogStore's messages to a socket"
  }

  /// What a measurement counts.
  package enum Unit: Sendable, Equatable {
    /// Nanoseconds per one of what is named.
    case time(per: String)
    /// Bytes per one of what is named.
    case memory(per: String)
  }
}

/// What is to be reached.
package enum Bar: Sendable, Equatable {
  /// At most this many times the floor's time.
  case timesFloor(Double)
  /// At least this many times the floor's rate.
  case timesFloorRate(Double)
  /// At most this much more than the contender of that name.
  case over(contender: String, by: Double)
  /// At most this much, whatever the floor.
  case atMost(Double)
}

/// One who does a kind of work.
package struct Contender: Sendable {
  package let name: String
  package let role: Role
  /// Bytes that one measurement writes to new files, about.
  let writes: Int
  /// Does the work once, on files of its own in the directory, and tells the time or the memory per unit.
  let measure: @Sendable (_ directory: String) async throws -> Double

  init(
    _ name: String, _ role: Role, writes: Int = 0,
    measure: @escaping @Sendable (_ directory: String) async throws -> Double
  ) {
    self.name = name
    self.role = role
    self.writes = writes
    self.measure = measure
  }

  package enum Role: Sendable {
    case ours, floor
    /// Another way to do it, to compare with.
    case other
  }
}
