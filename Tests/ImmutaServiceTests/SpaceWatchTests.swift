#if Service
  @testable import ImmutaService
  import Testing

  /// When people are told that a disk is nearly full.
  struct SpaceWatchTests {
    @Test func itIsToldOnceAndAgainAfterThereWasRoom() {
      var watch = SpaceWatch(threshold: 1000)
      var news: [SpaceWatch.News?] = []
      for free in [5000, 1000, 999, 500, 1000, 1249, 1250, 1001, 999] { news.append(watch.look(at: free)) }
      #expect(news == [nil, nil, .low, nil, nil, nil, .back, nil, .low])
    }

    @Test func aThresholdOfNothingIsNeverReached() {
      var watch = SpaceWatch(threshold: 0)
      #expect(watch.look(at: 0) == nil)
    }
  }
#endif
