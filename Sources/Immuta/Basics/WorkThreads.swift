import ImmutaLocking

/// The threads for calls that block, a few for the process whatever the number of logs: made when there is work, and
/// ended when there is none for a while.
///
/// Work is done in the order in which it came. A device that does not answer holds up only callers that wait for it, and others
/// not for long: if all threads have been at the same piece of work for a second, more are made. They end when they have nothing
/// to do, so that there are few again once the device answers.
package final class WorkThreads: Sendable {
  package static let shared = WorkThreads()

  package typealias Work = @Sendable () -> Void

  /// How many threads there are at most, not counting those that stand in for others that are held up.
  ///
  /// Measured with 100 logs in `.synced` on ext4, each appended to by a task: flushes of several files at once share what
  /// the file system and the device do, and beyond this number they gain nothing. Fewer where the process may have few
  /// files open: each may be about to open two.
  static let most = max(2, min(16, ThisProcess.mostOpenFiles / 16))
  /// How long a thread without work stays, in nanoseconds: making one costs more than keeping it a while.
  private let restTime: Int64
  /// How long all of them may be at the same work before others are made.
  private static let patience = Duration.seconds(1)

  private let state = Lock(State())

  /// For tests: called before a thread is woken, while work for it waits.
  private let willWake: (@Sendable () -> Void)?

  /// For tests; all others share one, ``shared``.
  package init(restTime: Int64 = 200_000_000, willWake: (@Sendable () -> Void)? = nil) {
    self.restTime = restTime
    self.willWake = willWake
  }

  private struct State {
    var waiting = Deque()
    /// The gates of the threads without work, each once. A thread whose gate is not here any more must look for work: the thread
    /// that took the gate out added some, and opens the gate now or later.
    var resting: [ThreadGate] = []
    var count = 0
    /// Pieces of work begun so far.
    var begun = 0
    /// Whether the clock will look whether there is progress.
    var isWatched = false
  }

  /// First in, first out.
  private struct Deque {
    private var items: [Work?] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }
    var count: Int { items.count - head }

    mutating func append(_ work: @escaping Work) { items.append(work) }

    mutating func popFirst() -> Work? {
      guard head < items.count else { return nil }
      defer {
        items[head] = nil
        head += 1
        if head == items.count { (items, head) = ([], 0) }
        if head >= 64, head * 2 >= items.count {
          items.removeFirst(head)
          head = 0
        }
      }
      return items[head]
    }
  }

  /// Whether there is work that no thread has begun.
  var isBehind: Bool { state.withLock { !$0.waiting.isEmpty } }

  /// Has work done soon, on one of the threads. It may block, and must not wait for other work that was added here.
  ///
  /// - Throws: where there is no thread, and none to be had; then the work is not done.
  package func add(_ work: @escaping Work) throws(NoThread) {
    try ThreadShortage.check()
    let gate = try state.withLock { (state) throws(NoThread) -> ThreadGate? in
      if let gate = state.resting.popLast() {
        state.waiting.append(work)
        return gate
      }
      if state.count < Self.most {
        do throws(NoThread) { try start(&state) } catch { if state.count == 0 { throw error } }
      }
      state.waiting.append(work)
      watch(&state)
      return nil
    }
    guard let gate else { return }
    willWake?()
    gate.open()
  }

  private func start(_ state: inout State) throws(NoThread) {
    try Thread.start { self.run() }
    state.count += 1
  }

  private enum Next {
    case work(Work), rest, end
  }

  /// What a thread does now.
  private func next(_ gate: ThreadGate, _ state: inout State) -> Next {
    if let work = state.waiting.popFirst() {
      state.begun += 1
      return .work(work)
    }
    // One that stood in for another that was held up.
    if state.count > Self.most {
      state.count -= 1
      return .end
    }
    precondition(
      !state.resting.contains { $0 === gate },
      "a gate that is there twice would stay when its thread ends, and be opened for work that nobody does")
    state.resting.append(gate)
    return .rest
  }

  private func run() {
    let gate = ThreadGate()
    while true {
      switch state.withLock({ next(gate, &$0) }) {
      case .end: return
      case .work(let work):
        work()
        continue
      case .rest: if !rest(at: gate) { return }
      }
    }
  }

  /// Returns when the thread must look for work; false if it has to end.
  private func rest(at gate: ThreadGate) -> Bool {
    while true {
      let isOpened = gate.wait(nanoseconds: restTime)
      let isOver = state.withLock { state -> Bool? in
        guard let place = state.resting.firstIndex(where: { $0 === gate }) else { return false }
        // Opened late, for work that a thread has found already.
        if isOpened { return nil }
        state.resting.remove(at: place)
        state.count -= 1
        return true
      }
      if let isOver { return !isOver }
    }
  }

  /// Does work for each number below `count`, on the caller's thread and up to so many others; returns when all is done.
  ///
  /// The caller waits only for what somebody has begun: so this may be called on one of the threads.
  func perform(_ count: Int, others: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let shared = SharedWork(count, body)
    for _ in 0..<max(0, min(others, count - 1)) {
      do throws(NoThread) { try add { shared.run() } } catch { break }
    }
    shared.finish()
  }

  // MARK: Later

  /// What is to be done at a time.
  private struct Later {
    let time: ContinuousClock.Instant
    let work: Work
    /// Whether the clock's thread may do it itself.
    let isShort: Bool
  }

  /// The thread that knows when the time has come; the soonest is the last in its list.
  private let clock: GatedThread<[Later]> = GatedThread([]) { later in
    let now = ContinuousClock.now
    var due: [Later] = []
    while let next = later.last, next.time <= now {
      due.append(next)
      later.removeLast()
    }
    if due.isEmpty { return later.last.map { .wait(nanoseconds: ($0.time - now).nanoseconds) } ?? .end }
    return .work { [due] in
      for one in due {
        if one.isShort {
          one.work()
          continue
        }
        // Where there is no other thread, this one has to do.
        do throws(NoThread) { try WorkThreads.shared.add(one.work) } catch { one.work() }
      }
    }
  }

  /// Has work done at a time, or soon after.
  package func add(at time: ContinuousClock.Instant, _ work: @escaping Work) throws(NoThread) {
    try add(Later(time: time, work: work, isShort: false))
  }

  private func add(_ work: Later) throws(NoThread) {
    try clock.updateIfRunning { later in
      let position = later.partitioningIndex { $0.time <= work.time }
      later.insert(work, at: position)
      return position == later.count - 1
    }
  }

  /// Work waits and all threads are busy: they may be held up.
  private func watch(_ state: inout State) {
    guard !state.isWatched, state.count >= Self.most else { return }
    let begun = state.begun
    // Without a thread for the clock, work waits until one of the others is free.
    let look = Later(time: .now + Self.patience, work: { self.look(begun) }, isShort: true)
    state.isWatched = (try? add(look)) != nil
  }

  private func look(_ begun: Int) {
    state.withLock { state in
      state.isWatched = false
      guard !state.waiting.isEmpty else { return }
      if state.begun == begun {
        // As many again as there may be: more may wait for the same device.
        for _ in 0..<min(state.waiting.count, Self.most) { try? start(&state) }
      }
      watch(&state)
    }
  }
}
