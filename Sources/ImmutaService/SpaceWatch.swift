#if Service
  /// Decides when people are told that a disk is nearly full, and that it has room again. Pure.
  ///
  /// There is room again only once there is a quarter more than the threshold: otherwise a disk at the threshold would be told of
  /// with every look.
  struct SpaceWatch {
    let threshold: Int
    private(set) var isLow = false

    enum News: Equatable {
      case low
      case back
    }

    init(threshold: Int) {
      self.threshold = threshold
    }

    /// So much is free now. Returns what is new about it.
    mutating func look(at free: Int) -> News? {
      if !isLow, free < threshold {
        isLow = true
        return .low
      }
      if isLow, free >= threshold + threshold / 4 {
        isLow = false
        return .back
      }
      return nil
    }
  }
#endif
