#if Service
  extension Duration {
    /// For swift-metrics, which takes 64 bits of them: 292 years.
    var wholeNanoseconds: Int64 {
      let (seconds, attoseconds) = components
      return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
  }
#endif
