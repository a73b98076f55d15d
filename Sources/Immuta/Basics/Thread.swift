import CImmutaFileCalls
import ImmutaLibC
import Synchronization

/// The system gave no thread.
package struct NoThread: Error {
  /// What it said.
  let errorNumber: Int32
  /// The call that makes one.
  static let call = "pthread_create"
}

/// For tests: the system gives no thread, while that is so.
package enum ThreadShortage {
  /// Relaxed: the code that sets it starts all later work on its own thread, or waits for its outcome.
  private static let lasts = Atomic(false)

  package static func begin() { lasts.store(true, ordering: .relaxed) }
  package static func end() { lasts.store(false, ordering: .relaxed) }

  static func check() throws(NoThread) {
    if lasts.load(ordering: .relaxed) { throw NoThread(errorNumber: ErrorNumber.tryAgain) }
  }
}

/// Threads of our own, for calls that block: such calls must not hold one of the few threads that run Swift's tasks.
enum Thread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs `body` on a new detached thread.
  static func start(_ body: @escaping @Sendable () -> Void) throws(NoThread) {
    try ThreadShortage.check()
    let number = create(Body(body))
    if number != 0 { throw NoThread(errorNumber: number) }
  }

  /// Runs `body` on a thread of its own, without blocking the caller's, and throws what it returns. Where there is no
  /// thread to be had, the caller's own has to do.
  static func run(_ body: @escaping @Sendable () -> (any Error)?) async throws {
    let failure = await withCheckedContinuation { continuation in
      if (try? start { continuation.resume(returning: body()) }) == nil { continuation.resume(returning: body()) }
    }
    if let failure { throw failure }
  }

  /// Distinguishes the calling thread from all other live ones; never 0.
  static var identity: UInt {
    #if canImport(Darwin)
      UInt(bitPattern: pthread_self())
    #elseif canImport(Musl)
      UInt(bitPattern: pthread_self())
    #else
      UInt(pthread_self())
    #endif
  }

  /// About as long as a small append takes: between two looks at what another thread is about to change.
  static func pause() {
    spin_pause()
  }

  /// Lets other threads run.
  static func yield() {
    sched_yield()
  }

  private static func create(_ body: Body) -> Int32 {
    // Retained here, released by the thread that takes it over.
    let context = unsafe Unmanaged.passRetained(body).toOpaque()
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    unsafe pthread_attr_setstacksize(&attributes, 256 << 10)
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let number = unsafe pthread_create(&thread, &attributes, entry, context)
    if number != 0 { unsafe Unmanaged<Body>.fromOpaque(context).release() }
    return number
  }

  #if canImport(Darwin)
    private static let entry: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { context in
      unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
      return nil
    }
  #else
    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
      guard let context = unsafe context else { return nil }
      unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
      return nil
    }
  #endif
}
