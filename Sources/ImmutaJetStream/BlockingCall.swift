#if JetStream
  import Immuta
  import ImmutaLocking

  /// Calls that block, on threads that run no tasks.
  enum BlockingCall {
    private struct State<Value: Sendable>: Sendable {
      var continuation: CheckedContinuation<Value, any Error>?
      var isOver = false
    }

    private final class Box<Value: Sendable>: Sendable {
      private let state = Lock(State<Value>())

      func begin(_ continuation: CheckedContinuation<Value, any Error>) {
        let isOver = state.withLock { state in
          if !state.isOver { state.continuation = continuation }
          return state.isOver
        }
        if isOver { continuation.resume(throwing: CancellationError()) }
      }

      /// The first outcome counts.
      func end(_ result: Result<Value, any Error>) {
        let continuation = state.withLock { state in
          state.isOver = true
          defer { state.continuation = nil }
          return state.continuation
        }
        continuation?.resume(with: result)
      }
    }

    /// What a call that blocks comes to. Being cancelled ends this at once, and the call goes on by itself.
    static func of<Value: Sendable>(_ body: @escaping @Sendable () throws(ImmutaError) -> Value) async throws -> Value {
      let box = Box<Value>()
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          box.begin(continuation)
          let isBegun: Void? = try? WorkThreads.shared.add {
            do throws(ImmutaError) { box.end(.success(try body())) } catch { box.end(.failure(error)) }
          }
          if isBegun == nil { box.end(.failure(ImmutaError.unavailable("the system gives no thread"))) }
        }
      } onCancel: {
        box.end(.failure(CancellationError()))
      }
    }

    /// Waits for a call that blocks, cancelled or not.
    static func afterwards(_ body: @escaping @Sendable () -> Void) async {
      await withCheckedContinuation { continuation in
        let isBegun: Void? = try? WorkThreads.shared.add {
          body()
          continuation.resume()
        }
        if isBegun == nil {
          body()
          continuation.resume()
        }
      }
    }
  }
#endif
