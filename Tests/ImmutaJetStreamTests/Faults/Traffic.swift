#if JetStream
  import Immuta
  import ImmutaJetStream
  import ImmutaLocking
  import ImmutaTestSupport

  /// Writers that append and followers that read, through whatever befalls the cluster, and what they were told and saw.
  final class Traffic: Sendable {
    private struct State {
      var history = History()
      /// How many appends of each writer were acknowledged.
      var acknowledged: [Int]
      /// What followers saw; the first to see a record writes it down, and the others compare.
      var seen: [String] = []
      /// How far each follower is.
      var positions: [Int]
      /// Why a follower ended that was not to end.
      var failure: (any Error)?
      var isOver = false
      /// How many records there are, once nobody appends any more.
      var last: Int?
    }

    private let state: Lock<State>
    private let pause: Duration

    /// - Parameter pause: what a writer waits between two appends, so that machines with few processors follow.
    init(writers: Int, followers: Int, pause: Duration = .milliseconds(4)) {
      state = Lock(
        State(acknowledged: Array(repeating: 0, count: writers), positions: Array(repeating: 0, count: followers)))
      self.pause = pause
    }

    /// What the writers were told so far.
    var history: History { state.withLock { $0.history } }
    /// The records that followers saw so far.
    var seen: [String] { state.withLock { $0.seen } }
    var acknowledged: [Int] { state.withLock { $0.acknowledged } }
    var positions: [Int] { state.withLock { $0.positions } }
    /// Throws what ended a follower, if something did.
    func checkFollowers() throws {
      if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private var isOver: Bool { state.withLock { $0.isOver } }

    /// Lets the writers end after the append that they are at.
    func end() { state.withLock { $0.isOver = true } }
    /// Lets the followers end once they have so many records.
    func endFollowing(at count: Int) { state.withLock { $0.last = count } }

    /// Appends one record after the other until it is told to end.
    func write(to log: ClusterLog, as writer: Int) async throws {
      var number = 0
      while !isOver {
        let text = "\(writer)/\(number)"
        number += 1
        do {
          let sequence = try await log.append(text).sequence
          try acknowledge(text, as: sequence, writer)
        } catch let error as ImmutaError {
          switch error {
          // It was not appended, and must not be found.
          case .unavailable: state.withLock { $0.history.refuse(text, because: "\(error)") }
          case .outcomeUnknown(let append, _): try await settle(append, text, writer, log)
          default: throw Finding("writer \(writer): \(error)")
          }
        }
        try await Task.sleep(for: pause)
      }
    }

    private func acknowledge(_ text: String, as sequence: Int, _ writer: Int) throws {
      try state.withLock { state in
        try state.history.acknowledge(text, as: sequence)
        state.acknowledged[writer] += 1
      }
    }

    /// Asks until the log knows what became of an append. Where it cannot tell for a long time, that is left open.
    private func settle(_ append: UnknownAppend, _ text: String, _ writer: Int, _ log: ClusterLog) async throws {
      let deadline = ContinuousClock.now + .seconds(60)
      while ContinuousClock.now < deadline {
        do {
          switch try await log.outcome(of: append) {
          case .appended(let sequences): return try acknowledge(text, as: sequences.lowerBound, writer)
          case .notAppended: return state.withLock { $0.history.refuse(text, because: "the outcome of \(append)") }
          default: break
          }
        } catch let error as ImmutaError {
          guard case .unavailable = error else { throw Finding("writer \(writer), asking for an outcome: \(error)") }
        }
        try await Task.sleep(for: .milliseconds(100))
      }
      state.withLock { $0.history.leaveOpen(text) }
    }

    /// Reads from the beginning, and sees that each record comes once, in order, and is what others saw; until it is told how many
    /// there are, and has them all.
    func follow(_ log: ClusterLog, as follower: Int) async throws {
      do {
        try await read(log, as: follower)
      } catch {
        state.withLock { state in if state.failure == nil { state.failure = error } }
        throw error
      }
    }

    private func read(_ log: ClusterLog, as follower: Int) async throws {
      var stream = log.stream(from: .beginning)
      var position = 0
      while position < state.withLock({ $0.last }) ?? .max {
        do {
          guard let record = try await stream.next(timeout: .milliseconds(500)) else { continue }
          try note(record.sequence, record.text, at: position, follower)
          position += 1
        } catch let error as ImmutaError {
          guard case .unavailable = error else { throw Finding("follower \(follower) at record \(position): \(error)") }
        }
      }
    }

    private func note(_ sequence: Int, _ text: String, at position: Int, _ follower: Int) throws {
      guard sequence == position else {
        throw Finding("follower \(follower) got record \(sequence) as record \(position)")
      }
      try state.withLock { state in
        if sequence == state.seen.count {
          state.seen.append(text)
        } else if state.seen[sequence] != text {
          throw Finding(
            "record \(sequence) is “\(text)” to follower \(follower), and “\(state.seen[sequence])” to others")
        }
        state.positions[follower] = sequence + 1
      }
    }
  }

  /// Waits until something is so; it is asked every 20 ms.
  ///
  /// - Throws: `Finding` with `what` where it is not so in time.
  func wait(
    _ patience: Duration, for what: @autoclosure () -> String, until isSo: () async throws -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + patience
    while try await !isSo() {
      guard ContinuousClock.now < deadline else { throw Finding("after \(patience): \(what())") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
#endif
