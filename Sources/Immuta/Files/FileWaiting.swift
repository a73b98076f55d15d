import Synchronization

/// How this process waits for commits of others and for changes of files: whether the kernel helps, and counts for tests.
package enum FileWaiting {
  /// How often threads that wait for commits of other processes, or for changes of files, have woken, all together.
  ///
  /// Relaxed: a number on its own.
  package static var wakeUps: Int { wakeUpCount.load(ordering: .relaxed) }
  /// Threads that do so now.
  package static var threads: Int { threadCount.load(ordering: .relaxed) }

  private static let wakeUpCount = Atomic(0)
  private static let threadCount = Atomic(0)
  /// Whether the kernel waits for words of files, as far as is known. Relaxed: a fact on its own.
  private static let waits = Atomic(true)

  static var waitsForWords: Bool { waits.load(ordering: .relaxed) }

  /// The kernel does not wait for words, or is to be taken for one that does not.
  package static func stopWaitingForWords() {
    waits.store(false, ordering: .relaxed)
  }

  static func noteWakeUp() {
    wakeUpCount.add(1, ordering: .relaxed)
  }

  static func noteThread(_ change: Int) {
    threadCount.add(change, ordering: .relaxed)
  }
}
