import ImmutaLibC
import Synchronization

/// What waiting streams are compared with: threads that sleep in the kernel, are all woken at once, and then each
/// `pread` the record.
final class WaitingThreads: Sendable {
  private static let stackSize = 128 << 10
  private static let headerSize = 16

  private let descriptor: Int32
  private let recordSize: Int
  private let records: Int
  private let arrivals: Arrivals
  /// Record n is waited for at gate n mod 2; everybody has left one before it is shut again.
  private let gates = [Gate(), Gate()]
  /// Released by each thread with its last use of the descriptor, acquired before that is closed.
  private let ended = Atomic(0)
  /// Set before the gates are opened for the last time, and read after that.
  private let isOver = Atomic(false)

  private init(_ descriptor: Int32, recordSize: Int, records: Int, _ arrivals: Arrivals) {
    self.descriptor = descriptor
    self.recordSize = recordSize
    self.records = records
    self.arrivals = arrivals
  }

  /// The median time from before the `pwrite` until the last of so many threads has the record; nil where the machine
  /// does not give a process so many.
  static func measure(_ payloads: BenchPayloads, threads: Int, records: Int, in directory: String) throws -> Double? {
    let file = try FloorFile(creating: "\(directory)/floor")
    var record = [UInt8](repeating: 0, count: 8 + payloads.size)
    let arrivals = Arrivals(audience: threads)
    let audience = WaitingThreads(file.descriptor, recordSize: record.count, records: records, arrivals)
    audience.gates[0].shut()
    var open = 1
    var started = 0
    // The threads use the descriptor: it is closed when all have ended.
    defer { audience.end(opening: 1 - open, started: started) }
    for _ in 0..<threads {
      guard start(audience) else { return nil }
      started += 1
    }
    return try arrivals.median(records) { number in
      audience.gates[open].shut()
      open = 1 - open
      // From here on the one that was shut before is opened, whatever happens.
      defer { audience.gates[open].open() }
      try record.withUnsafeMutableBytes { bytes in
        Floor.fill(bytes, with: payloads[number])
        try file.write(UnsafeRawBufferPointer(bytes), at: headerSize + number * bytes.count)
      }
    }
  }

  /// Lets everybody through, and waits for their end.
  private func end(opening shut: Int, started: Int) {
    isOver.store(true, ordering: .releasing)
    gates[shut].open()
    while ended.load(ordering: .acquiring) < started { sched_yield() }
  }

  private func follow() {
    defer { ended.add(1, ordering: .releasing) }
    var record = [UInt8](repeating: 0, count: recordSize)
    var sum: UInt64 = 0
    for number in 0...records {
      gates[number % 2].pass()
      if isOver.load(ordering: .acquiring) { break }
      record.withUnsafeMutableBytes { bytes in
        let offset = off_t(Self.headerSize + number * recordSize)
        if pread(descriptor, bytes.baseAddress, bytes.count, offset) != bytes.count {
          arrivals.fail(ToolError("a thread could not read what was written"))
        }
        sum &+= UnsafeRawBufferPointer(bytes).sum
      }
      // Looked at, so that it is computed.
      if sum != 0 { arrivals.add() }
    }
  }

  private static func start(_ audience: WaitingThreads) -> Bool {
    // Retained here, released by the thread that takes it over.
    let context = Unmanaged.passRetained(audience).toOpaque()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackSize)
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    if pthread_create(&thread, &attributes, entry, context) == 0 { return true }
    Unmanaged<WaitingThreads>.fromOpaque(context).release()
    return false
  }

  #if canImport(Darwin)
    private static let entry: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { context in
      Unmanaged<WaitingThreads>.fromOpaque(context).takeRetainedValue().follow()
      return nil
    }
  #else
    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
      guard let context else { return nil }
      Unmanaged<WaitingThreads>.fromOpaque(context).takeRetainedValue().follow()
      return nil
    }
  #endif
}

/// Threads wait at it while it is shut, and pass all at once when it opens: a lock for writing, and many for reading.
///
/// Unchecked: the pointer never changes, and what it points to is made to be called by all threads.
private final class Gate: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_rwlock_t>

  init() {
    lock = .allocate(capacity: 1)
    lock.initialize(to: pthread_rwlock_t())
    pthread_rwlock_init(lock, nil)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  /// Waits until nobody is on the way through.
  func shut() { pthread_rwlock_wrlock(lock) }

  /// By the thread that shut it.
  func open() { pthread_rwlock_unlock(lock) }

  func pass() {
    pthread_rwlock_rdlock(lock)
    pthread_rwlock_unlock(lock)
  }
}
