import ImmutaLocking

/// The threads for calls that block, a few for the process whatever the number of logs: made when there is work, and
/// ended when there is none for a while.
///
/// Work is done in the order it came. A device that does not answer holds up those who wait for it, and nobody else for
/// long: where all threads have been at the same piece of work for a second, others are made. They end when they have
/// nothing to do, so that there are few again once the device answers.
final class WorkThreads: Sendable {
  static let shared = WorkThreads()

  typealias Work = @Sendable () -> Void

  /// How many there are at most, but for those that stand in for others that are held up.
  ///
  /// Measured with 100 logs in `.synced` on ext4, each appended to by a task: flushes of several files at once share what
  /// the file system and the device do, and beyond this number they gain nothing. Fewer where the process may have few
  /// files open: each may be about to open two.
  static let most = max(2, min(16, SystemCalls.mostOpenFiles / 16))
  /// How long a thread without work stays: making one costs more than keeping it a while.
  private static let restTime: Int64 = 200_000_000
  /// How long all of them may be at the same work before others are made.
  private static let patience = Duration.seconds(1)

  private let state = Lock(State())

  private struct State {
    var waiting = Deque()
    var resting: [ThreadGate] = []
    var count = 0
    /// Pieces of work begun so far.
    var begun = 0
    /// Whether the clock will look whether there is progress.
    var isWatched = false
    /// What is to be done later, the soonest last.
    var later: [(time: ContinuousClock.Instant, work: Work, isShort: Bool)] = []
    var clock: ThreadGate?
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
  /// - Throws: `.io` where there is no thread, and none to be had; then the work is not done.
  func add(_ work: @escaping Work) throws(ImmutaError) {
    let gate = try state.withLock { (state) throws(ImmutaError) -> ThreadGate? in
      if let gate = state.resting.popLast() {
        state.waiting.append(work)
        return gate
      }
      if state.count < Self.most {
        do throws(ImmutaError) { try start(&state) } catch { if state.count == 0 { throw error } }
      }
      state.waiting.append(work)
      watch(&state)
      return nil
    }
    gate?.open()
  }

  private func start(_ state: inout State) throws(ImmutaError) {
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
      case .rest: break
      }
      if gate.wait(nanoseconds: Self.restTime) { continue }
      let isOver = state.withLock { state in
        // Whoever took the gate out of the list is about to open it.
        guard let place = state.resting.firstIndex(where: { $0 === gate }) else { return false }
        state.resting.remove(at: place)
        state.count -= 1
        return true
      }
      if isOver { return }
    }
  }

  /// Does work for each number below `count`, on the caller's thread and up to so many others; returns when all is done.
  ///
  /// The caller waits only for what somebody has begun: so this may be called on one of the threads.
  func perform(_ count: Int, others: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let shared = SharedWork(count, body)
    for _ in 0..<max(0, min(others, count - 1)) {
      do throws(ImmutaError) { try add { shared.run() } } catch { break }
    }
    shared.finish()
  }

  // MARK: Later

  /// Has work done at a time, or soon after.
  func add(at time: ContinuousClock.Instant, _ work: @escaping Work) throws(ImmutaError) {
    let gate = try state.withLock { (state) throws(ImmutaError) in
      try schedule(work, at: time, &state)
    }
    gate?.open()
  }

  /// Returns the gate to open, where the clock must look again.
  private func schedule(
    _ work: @escaping Work, at time: ContinuousClock.Instant, isShort: Bool = false, _ state: inout State
  ) throws(ImmutaError) -> ThreadGate? {
    if state.clock == nil {
      let gate = ThreadGate()
      try Thread.start { self.runClock(gate) }
      state.clock = gate
    }
    let position = state.later.partitioningIndex { $0.time <= time }
    state.later.insert((time, work, isShort), at: position)
    return position == state.later.count - 1 ? state.clock : nil
  }

  /// Work waits and all threads are busy: they may be held up.
  private func watch(_ state: inout State) {
    guard !state.isWatched, state.count >= Self.most else { return }
    let begun = state.begun
    // Without a thread for the clock, work waits until one of the others is free.
    let gate = try? schedule({ self.look(begun) }, at: .now + Self.patience, isShort: true, &state)
    state.isWatched = state.clock != nil
    gate?.open()
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

  /// The thread that knows when the time has come; it ends when nothing is to be done later.
  private func runClock(_ gate: ThreadGate) {
    while true {
      var due: [(work: Work, isShort: Bool)] = []
      let left = state.withLock { state -> Int64? in
        let now = ContinuousClock.now
        while let next = state.later.last, next.time <= now {
          due.append((next.work, next.isShort))
          state.later.removeLast()
        }
        if !due.isEmpty { return 0 }
        guard let next = state.later.last else {
          state.clock = nil
          return nil
        }
        return (next.time - now).nanoseconds
      }
      guard let left else { return }
      for (work, isShort) in due {
        if isShort {
          work()
          continue
        }
        // Where there is no other thread, this one has to do.
        do throws(ImmutaError) { try add(work) } catch { work() }
      }
      if left > 0 { gate.wait(nanoseconds: left) }
    }
  }
}

/// Work that several threads share, a piece at a time.
private final class SharedWork: Sendable {
  private let count: Int
  /// Nil once all is done: a thread that comes too late keeps nothing alive.
  private let body: Lock<(@Sendable (Int) -> Void)?>
  private let taken = Lock(0)
  private let done = Lock(0)
  private let gate = ThreadGate()

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.body = Lock(body)
  }

  func run() {
    guard let body = body.withLock({ $0 }) else { return }
    while true {
      let number = taken.withLock { taken in
        defer { taken += 1 }
        return taken
      }
      if number >= count { return }
      body(number)
      let isLast = done.withLock { done in
        done += 1
        return done == count
      }
      if isLast { gate.open() }
    }
  }

  func finish() {
    if count == 0 { return }
    run()
    gate.wait()
    body.withLock { $0 = nil }
  }
}
