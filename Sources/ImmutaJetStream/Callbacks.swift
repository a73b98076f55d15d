#if JetStream
  import ImmutaLocking

  /// What became of a connection.
  enum ConnectionChange: Sendable {
    case lost, restored, ended
  }

  /// Whom the C library calls, on threads of its own. Must not block, and must not wait for one of them.
  protocol CallbackTarget: AnyObject, Sendable {
    func received(_ message: NatsMessage)
    func changed(_ change: ConnectionChange)
  }

  extension CallbackTarget {
    func changed(_ change: ConnectionChange) {}
  }

  /// The targets of the C library's calls, by numbers. The library gets a number in place of a pointer: a call that comes late, when
  /// its target is gone, finds nobody.
  enum Callbacks {
    private struct Table {
      var last: UInt = 0
      var targets: [UInt: Weak] = [:]
    }

    private struct Weak: Sendable {
      weak var target: (any CallbackTarget)?
    }

    private static let table = Lock(Table())

    static func add(_ target: any CallbackTarget) -> UInt {
      table.withLock { table in
        table.last += 1
        table.targets[table.last] = Weak(target: target)
        return table.last
      }
    }

    static func remove(_ number: UInt) {
      table.withLock { _ = $0.targets.removeValue(forKey: number) }
    }

    /// The target that a call is for, by what the library passes on.
    static func target(_ closure: UnsafeMutableRawPointer?) -> (any CallbackTarget)? {
      let number = UInt(bitPattern: closure)
      return table.withLock { $0.targets[number]?.target }
    }

    /// What the library passes on; it never looks where it points to.
    static func closure(_ number: UInt) -> UnsafeMutableRawPointer? {
      unsafe UnsafeMutableRawPointer(bitPattern: number)
    }
  }
#endif
