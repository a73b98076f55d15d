#if JetStream
  import Immuta

  /// Sends messages, in the order of the calls: on a thread of its own, as sending may block.
  final class MessageSender: Sendable {
    struct Letter: Sendable {
      let outgoing: Outgoing
      /// The question's number; nil where nobody waits for an answer.
      let number: UInt64?
      let connection: NatsConnection
    }

    private struct Outbox: Sendable {
      var letters: [Letter] = []
      var isOver = false
    }

    private let thread: GatedThread<Outbox>

    /// - Parameter failed: called on the thread, with the numbers of questions that could not be sent.
    init(failed: @escaping @Sendable (UInt64, Silence) -> Void) {
      thread = GatedThread(Outbox()) { outbox in
        if outbox.letters.isEmpty { return outbox.isOver ? .end : .wait() }
        let letters = outbox.letters
        outbox.letters = []
        return .work { Self.send(letters, failed) }
      }
    }

    deinit {
      thread.update { outbox in
        outbox.isOver = true
        return true
      }
    }

    func post(_ letters: [Letter]) {
      thread.update { outbox in
        let wasEmpty = outbox.letters.isEmpty
        outbox.letters.append(contentsOf: letters)
        return wasEmpty
      }
    }

    private static func send(_ letters: [Letter], _ failed: (UInt64, Silence) -> Void) {
      var buffered: [ObjectIdentifier: NatsConnection] = [:]
      for letter in letters {
        do throws(NatsFailure) {
          try letter.connection.publish(letter.outgoing)
          if letter.connection.isBuffered { buffered[ObjectIdentifier(letter.connection)] = letter.connection }
        } catch {
          if let number = letter.number { failed(number, error.isTooLarge ? .tooLarge : .lost) }
        }
      }
      for connection in buffered.values { connection.flush() }
    }
  }
#endif
