/// Tells one run of the machine from the next.
///
/// After a crash it decides what a gap in the log means: on a machine that stayed up, the page cache still holds every byte that
/// was written, so a gap is damage; after a restart a gap may come from a power cut.
package enum BootIdentity {
  /// 0 when the system does not say.
  package static let current: UInt64 = {
    guard let descriptor = try? Descriptor(opening: "/proc/sys/kernel/random/boot_id", .read) else { return 0 }
    var text = [UInt8](repeating: 0, count: 36)
    let count = (try? unsafe text.withMutableBytes { try unsafe descriptor.read(into: $0, at: 0) }) ?? 0
    // FNV-1a over the text: the identity needs to differ, not to be secret.
    let hash = text.prefix(count).reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return count == 0 ? 0 : max(1, hash)
  }()
}
