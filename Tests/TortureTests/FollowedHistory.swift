import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport

/// What the log at a path held, whatever was done to its files: each record ever appended knows the one before it, so
/// what a follower delivers can be held to it.
final class FollowedHistory: Sendable {
  struct Node {
    var number: Int
    /// The record before it; nil for the first of a log.
    var parent: Int?
  }

  private let state = Lock(State())

  private struct State {
    var nodes: [Node] = []
    /// The records that the log at the path holds now, in order.
    var chain: [Int] = []
    /// How often the chain was anything but extended.
    var changes = 0
    /// Whether the files are being changed just now.
    var isChanging = false
    var changed = ContinuousClock.now
  }

  var chain: [Int] { state.withLock { $0.chain } }
  /// Nil while the files are being changed, and just after that: a follower looks at them now and then.
  var changes: Int? {
    state.withLock { $0.isChanging || ContinuousClock.now - $0.changed < .milliseconds(30) ? nil : $0.changes }
  }

  /// A record that is about to be appended.
  func append() -> Int {
    state.withLock { state in
      state.nodes.append(Node(number: state.chain.count, parent: state.chain.last))
      state.chain.append(state.nodes.count - 1)
      return state.nodes.count - 1
    }
  }

  /// The files are about to be changed: until `become`, they hold nobody knows what.
  func beginChange() {
    state.withLock { $0.isChanging = true }
  }

  /// The log at the path holds these records from now on.
  func become(_ chain: [Int]) {
    state.withLock { state in
      state.chain = chain
      state.changes += 1
      state.isChanging = false
      state.changed = .now
    }
  }

  func node(_ record: Int) -> Node? {
    state.withLock { $0.nodes.indices.contains(record) ? $0.nodes[record] : nil }
  }
}

/// A stream of a follower, and what it delivered. Whatever happens, a record follows the one that it followed when it was
/// appended, unless an error said otherwise.
struct FollowingReader {
  private let history: FollowedHistory
  private var stream: RecordStream
  private(set) var delivered: [Int] = []
  private(set) var reported = 0
  private(set) var lastError: (any Error)?

  init(_ stream: RecordStream, _ history: FollowedHistory) {
    self.history = history
    self.stream = stream
  }

  /// Takes what comes within a moment.
  mutating func step() async throws {
    let changes = history.changes
    do {
      guard let record = try await stream.next(timeout: .milliseconds(20)) else { return }
      try take(record)
    } catch ImmutaError.logChanged(let change) {
      reported += 1
      lastError = ImmutaError.logChanged(change)
      if change.kind == .removed { return try await Task.sleep(for: .milliseconds(2)) }
      guard change.sharedCount <= delivered.count else {
        throw Finding("\(change.sharedCount) records are shared, and only \(delivered.count) were read")
      }
      let chain = history.chain
      let isStill = changes != nil && changes == history.changes
      if isStill, !chain.starts(with: delivered[..<change.sharedCount]) {
        let shared = zip(chain, delivered).prefix { $0 == $1 }.count
        throw Finding(
          "the first \(change.sharedCount) records are not the same, but \(shared) of \(delivered.count) that were read and "
            + "\(chain.count) that exist: \(change)")
      }
      delivered.removeSubrange(change.sharedCount...)
      stream.position = change.sharedCount
    } catch let error as Finding {
      throw error
    } catch {
      lastError = error
      // While files are in the middle of something, they may look damaged, or be missing. Nothing is lost by that.
      reported += 1
      guard stream.position == delivered.count else { throw Finding("an error moved the stream: \(error)") }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  private mutating func take(_ record: Record) throws {
    guard let id = record.text.split(separator: " ").first.flatMap({ Int($0) }), let node = history.node(id) else {
      throw Finding("record \(record.sequence) was never appended: \(record.text.prefix(40))")
    }
    guard record.sequence == delivered.count, node.number == record.sequence else {
      throw Finding("record \(record.sequence) came after \(delivered.count) records, appended as \(node.number)")
    }
    if let last = delivered.last, node.parent != last {
      throw Finding(
        "record \(record.sequence) is not what followed the record delivered before it, and nothing said so")
    }
    delivered.append(id)
  }
}
