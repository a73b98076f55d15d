#include "CImmutaDeflate.h"

#include <limits.h>
#include <stdlib.h>

// zlib's binary interface, as it has been since 1.2: declared here so that its header need not be installed. The library itself
// exists wherever the Swift toolchain runs, which is linked to it. zlib checks the size of the structure and the version's first
// digit when a stream is begun, and refuses mismatches.

typedef struct {
  const uint8_t *next_in;
  unsigned int avail_in;
  unsigned long total_in;
  uint8_t *next_out;
  unsigned int avail_out;
  unsigned long total_out;
  const char *message;
  void *state;
  void *(*allocate)(void *, unsigned int, unsigned int);
  void (*release)(void *, void *);
  void *opaque;
  int data_type;
  unsigned long adler;
  unsigned long reserved;
} zlib_stream;

enum { ZLIB_NO_FLUSH = 0, ZLIB_FINISH = 4 };
enum { ZLIB_OK = 0, ZLIB_STREAM_END = 1, ZLIB_MEMORY_ERROR = -4,
       ZLIB_BUFFER_ERROR = -5 };
enum { ZLIB_DEFLATED = 8, ZLIB_RAW_WINDOW = -15, ZLIB_MEMORY_LEVEL = 8, ZLIB_DEFAULT_STRATEGY = 0 };

extern int deflateInit2_(zlib_stream *, int level, int method, int window, int memory, int strategy,
                         const char *version, int size);
extern int deflate(zlib_stream *, int flush);
extern int deflateReset(zlib_stream *);
extern int deflateEnd(zlib_stream *);
extern int inflateInit2_(zlib_stream *, int window, const char *version, int size);
extern int inflate(zlib_stream *, int flush);
extern int inflateReset(zlib_stream *);
extern int inflateEnd(zlib_stream *);

static const char zlib_version[] = "1.2";

struct deflate_stream {
  zlib_stream zlib;
  bool compresses;
};

deflate_stream *deflate_make_compressor(int level) {
  deflate_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  stream->compresses = true;
  if (deflateInit2_(&stream->zlib, level, ZLIB_DEFLATED, ZLIB_RAW_WINDOW, ZLIB_MEMORY_LEVEL, ZLIB_DEFAULT_STRATEGY,
                    zlib_version, (int)sizeof stream->zlib) == ZLIB_OK)
    return stream;
  free(stream);
  return NULL;
}

deflate_stream *deflate_make_decompressor(void) {
  deflate_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  if (inflateInit2_(&stream->zlib, ZLIB_RAW_WINDOW, zlib_version, (int)sizeof stream->zlib) == ZLIB_OK) return stream;
  free(stream);
  return NULL;
}

void deflate_free(deflate_stream *stream) {
  if (stream->compresses) deflateEnd(&stream->zlib);
  else inflateEnd(&stream->zlib);
  free(stream);
}

void deflate_reset(deflate_stream *stream) {
  if (stream->compresses) deflateReset(&stream->zlib);
  else inflateReset(&stream->zlib);
}

static unsigned int clamped(size_t count) { return count > UINT_MAX ? UINT_MAX : (unsigned int)count; }

deflate_progress deflate_run(deflate_stream *stream, const uint8_t *input, size_t input_count, uint8_t *output,
                             size_t output_count, bool finish) {
  zlib_stream *zlib = &stream->zlib;
  unsigned int input_size = clamped(input_count), output_size = clamped(output_count);
  zlib->next_in = input;
  zlib->avail_in = input_size;
  zlib->next_out = output;
  zlib->avail_out = output_size;
  int flush = finish && input_size == input_count ? ZLIB_FINISH : ZLIB_NO_FLUSH;
  int code = stream->compresses ? deflate(zlib, flush) : inflate(zlib, ZLIB_NO_FLUSH);
  deflate_progress progress = {DEFLATE_MALFORMED, input_size - zlib->avail_in, output_size - zlib->avail_out};
  switch (code) {
    // A buffer error says only that there was nothing to take, or no room.
    case ZLIB_OK:
    case ZLIB_BUFFER_ERROR: progress.result = DEFLATE_GOES_ON; break;
    case ZLIB_STREAM_END: progress.result = DEFLATE_ENDED; break;
    case ZLIB_MEMORY_ERROR: progress.result = DEFLATE_NO_MEMORY; break;
    default: break;
  }
  zlib->next_in = NULL;
  zlib->next_out = NULL;
  return progress;
}
