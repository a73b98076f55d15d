// The C library, whatever it is called on this system: the one place in the package that asks.
//
// `swift-system` would give the same names everywhere for some of it. It was looked at and left out: of the calls that the
// engine makes, it lacks all that are not read, write, open and close (reserving, mapping, locking, flushing, rights,
// watching, directories); its functions throw any error, where the engine's say which, and they call again when interrupted
// where no test's hook sees it. What would remain are the names of error numbers, for one more dependency of everybody who
// imports Immuta.
#if canImport(Glibc)
  @_exported public import Glibc
#elseif canImport(Musl)
  @_exported public import Musl
#elseif canImport(Darwin)
  @_exported public import Darwin
#endif

// Calls that have a method's name in much of the code that makes them.

/// openat(2).
@inlinable public func libcOpen(
  in directory: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, _ permissions: mode_t = 0
) -> Int32 {
  unsafe openat(directory, path, flags, permissions)
}

/// close(2).
@inlinable public func libcClose(_ descriptor: Int32) -> Int32 { close(descriptor) }

/// read(2).
@inlinable public func libcRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  unsafe read(descriptor, bytes, count)
}

/// write(2).
@inlinable public func libcWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  unsafe write(descriptor, bytes, count)
}
