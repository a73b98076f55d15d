/// How often somebody looks again whether more of a log is stable, who has written down how much is: less and less often while
/// nothing changes, and then no more.
enum StableLooks {
  /// So many looks in a row find nothing: then it takes another change.
  static var mostIdle: Int { 7 }

  /// The pause before a look, after so many in a row that found nothing: where the log is flushed at an interval, that.
  static func pause(afterIdle idle: Int, _ durability: Durability) -> Duration {
    durability.interval ?? .seconds(1 << min(idle, mostIdle))
  }
}
