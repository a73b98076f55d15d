/// The workers that wait for a job, in the order in which they came. Pure, except that it holds continuations, which it never
/// resumes.
struct WorkerLine<Given: Sendable> {
  typealias Continuation = CheckedContinuation<Given?, any Error>

  private struct Worker {
    let continuation: Continuation
    /// When it stops waiting; nil for never. Nanoseconds of the steady clock.
    let deadline: Int64?
  }

  private var workers: [Int: Worker] = [:]
  /// Tickets in their order, including those of workers that are gone.
  private var order: [Int] = []
  private var head = 0
  private var last = 0

  var isEmpty: Bool { workers.isEmpty }

  /// The ticket of the next worker that comes.
  mutating func ticket() -> Int {
    last += 1
    return last
  }

  mutating func join(_ ticket: Int, _ continuation: Continuation, until deadline: Int64?) {
    precondition(ticket <= last && workers[ticket] == nil, "a ticket is given once, and used once")
    workers[ticket] = Worker(continuation: continuation, deadline: deadline)
    order.append(ticket)
  }

  mutating func leave(_ ticket: Int) -> Continuation? { workers.removeValue(forKey: ticket)?.continuation }

  mutating func popFirst() -> Continuation? {
    while head < order.count {
      let ticket = order[head]
      head += 1
      if head == order.count { (order, head) = ([], 0) }
      if head >= 64, head * 2 >= order.count {
        order.removeFirst(head)
        head = 0
      }
      if let worker = workers.removeValue(forKey: ticket) { return worker.continuation }
    }
    return nil
  }

  /// Takes out workers that wait no longer. O(waiting workers).
  mutating func popExpired(by now: Int64) -> [Continuation] {
    let expired = workers.filter { $0.value.deadline.map { $0 <= now } ?? false }.keys
    return expired.compactMap { workers.removeValue(forKey: $0)?.continuation }
  }

  mutating func popAll() -> [Continuation] {
    defer { (workers, order, head) = ([:], [], 0) }
    return workers.values.map(\.continuation)
  }

  /// When the first of them stops waiting. O(waiting workers).
  var earliestDeadline: Int64? { workers.values.lazy.compactMap(\.deadline).min() }
}
