#ifndef IMMUTA_CDEFLATE_H
#define IMMUTA_CDEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Raw DEFLATE (RFC 1951) on the system's zlib, in pieces. One object is one stream at a time, and is used again for the
// next one after a reset. Not safe to use from two threads at once.

typedef struct deflate_stream deflate_stream;

typedef enum {
  // Took and made what it could; wants more input, or more room.
  DEFLATE_GOES_ON,
  // The stream is complete.
  DEFLATE_ENDED,
  // The input is not DEFLATE.
  DEFLATE_MALFORMED,
  DEFLATE_NO_MEMORY,
} deflate_result;

// What one call took and made.
typedef struct {
  deflate_result result;
  size_t taken;
  size_t made;
} deflate_progress;

// A compressor of level 0 … 9, or NULL when there is no memory.
deflate_stream *deflate_make_compressor(int level);
// A decompressor, or NULL when there is no memory.
deflate_stream *deflate_make_decompressor(void);
void deflate_free(deflate_stream *stream);

// Begins again.
void deflate_reset(deflate_stream *stream);

// Compresses, or decompresses, as much as fits. `finish`, for compressors: no more input follows.
deflate_progress deflate_run(deflate_stream *stream, const uint8_t *input, size_t input_count, uint8_t *output,
                             size_t output_count, bool finish);

#endif
