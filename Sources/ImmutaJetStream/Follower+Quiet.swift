#if JetStream
  import Immuta
  import ImmutaLocking

  // A consumer may live on and deliver nothing though the log has records: this happens when its server was cut off from the
  // others, and is with them again. The consumer still gives signs of life, so nothing else would show the fault.

  extension Follower {
    /// Compares the place with what the log is known to have, after so many signs of life in a row without a record: every other one
    /// with what this handle knows, and every now and then with what the log's leader says.
    func compare(after beats: Int) {
      let (next, consumer) = state.withLock { ($0.next, $0.delivery?.consumer) }
      if beats.isMultiple(of: 2), access.knownCount > next { return reset() }
      // After 2, 4, 8 and 16 seconds, and then every 16.
      guard beats.isMultiple(of: 32) || [4, 8, 16].contains(beats) else { return }
      Task { [weak self, access] in
        guard let stream = try? await access.describeOnce(within: .seconds(2)), stream.count > next, let self else {
          return
        }
        // It may have come meanwhile.
        let isStill = state.withLock { $0.next == next && $0.delivery?.consumer == consumer && !$0.isResetting }
        if isStill { reset() }
      }
    }
  }
#endif
