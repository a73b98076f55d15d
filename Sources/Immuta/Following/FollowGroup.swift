import CImmutaFileCalls
import ImmutaLocking
import Synchronization

/// Up to 127 followed logs, and the thread that waits for all of them at once: for a word of each that its commits
/// change (futex_waitv), and for one word that is changed for every other reason to look. Where the kernel has no such
/// call, or the process may not make it, the thread looks again and again, at all of its logs.
final class FollowGroup: Sendable {
  private let state = Lock(State())
  private let bell = Bell()

  private struct State {
    /// Logs that the thread has not taken over yet.
    var new: [FollowTicket] = []
    /// All logs.
    var count = 0
    var isRunning = false
  }

  /// The words that can be waited for at once, without the bell's.
  private static var most: Int { Int(FILE_MOST_WORDS) - 1 }

  /// Looks after a log from now on; nil when there is no room for it.
  func add(_ follower: any FollowedLog) throws(ImmutaError) -> FollowTicket? {
    let ticket = try state.withLock { (state) throws(ImmutaError) -> FollowTicket? in
      guard state.count < Self.most else { return nil }
      if !state.isRunning {
        do throws(NoThread) { try Thread.start { self.run() } } catch { throw ImmutaError(error) }
        state.isRunning = true
      }
      let ticket = FollowTicket(follower, in: self)
      state.new.append(ticket)
      state.count += 1
      return ticket
    }
    if ticket != nil { ring() }
    return ticket
  }

  /// Wakes the thread.
  func ring() {
    bell.ring()
  }

  // MARK: The thread

  private func run() {
    FileWaiting.noteThread(1)
    var places: [FollowedPlace] = []
    while true {
      // Read before any look: every report from here on changes it.
      let rings = bell.rings
      guard let new = takeNew(leaving: places.isEmpty) else { break }
      places += new.map { FollowedPlace($0) }
      let now = Clocks.steadyUptime()
      for index in places.indices.reversed() where !places[index].goesOn(at: now) {
        places.remove(at: index)
        state.withLock { $0.count -= 1 }
      }
      if places.isEmpty { continue }
      wait(&places, rings)
      FileWaiting.noteWakeUp()
    }
    FileWaiting.noteThread(-1)
  }

  /// Logs to look after; nil when there are none, and the thread has to end.
  private func takeNew(leaving isIdle: Bool) -> [FollowTicket]? {
    state.withLock { state in
      if isIdle, state.new.isEmpty {
        state.isRunning = false
        return nil
      }
      defer { state.new = [] }
      return state.new
    }
  }

  private func wait(_ places: inout [FollowedPlace], _ rings: UInt32) {
    let deadline = places.map(\.deadline).min() ?? .max
    var words = [bell.word(rings)]
    var waiting: [Int] = []
    for index in places.indices {
      guard let word = places[index].word else { continue }
      words.append(word)
      waiting.append(index)
    }
    switch bell.wait(words, until: deadline) {
    case .woken(0), .timedOut, .impossible: break
    case .woken(let number): places[waiting[number - 1]].wasWoken()
    case .another: for index in waiting { places[index].noticeAnotherValue() }
    case .unreadable: for index in waiting { places[index].losesWord() }
    }
  }
}

/// Wakes a group's thread for reasons other than commits; the thread waits on it.
@safe private final class Bell: Sendable {
  /// Where the kernel does not wait for words.
  private let gate = ThreadGate()
  /// Not freed before the last user that rings releases it: `nonisolated(unsafe)`, as it never changes, and the memory that it
  /// points to is atomic.
  private nonisolated(unsafe) let memory = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)

  init() {
    unsafe memory.initialize(to: Atomic(0))
  }

  deinit {
    unsafe memory.deinitialize(count: 1)
    unsafe memory.deallocate()
  }

  /// Acquiring: pairs with `ring`.
  var rings: UInt32 { unsafe memory.pointee.load(ordering: .acquiring) }

  /// As it is when it has rung so often.
  func word(_ rings: UInt32) -> FileWord { unsafe FileWord(at: UnsafeRawPointer(memory), value: rings) }

  func ring() {
    unsafe memory.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing)
    _ = unsafe SystemCalls.wake(UnsafeRawPointer(memory))
    gate.open()
  }

  /// Waits until it rings, one of the words after the first is woken, or it is late.
  func wait(_ words: [FileWord], until deadline: Int64) -> SystemCalls.Waking {
    if FileWaiting.waitsForWords {
      let waking = SystemCalls.wait(for: words, until: deadline)
      guard case .impossible = waking else { return waking }
      FileWaiting.stopWaitingForWords()
    }
    gate.wait(nanoseconds: max(0, deadline - Clocks.steadyUptime()))
    return .timedOut
  }
}
