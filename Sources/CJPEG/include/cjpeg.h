// Decodes JPEG files with libjpeg and tells every warning, of which TurboJPEG keeps one.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What is odd about a file whose pixels are all there: bits of `cjpeg_result.notes`.
enum cjpeg_note {
  CJPEG_STRAY_BYTES = 1,
  CJPEG_SCAN_PARAMETERS = 2,
  CJPEG_JFIF_REVISION = 4,
  CJPEG_PROGRESSION = 8,
  CJPEG_ADOBE = 16,
  CJPEG_NO_END = 32,
  CJPEG_OTHER = 64,
};

/// How reading ended.
enum cjpeg_status {
  CJPEG_READ = 0,
  /// Pixels are missing or contradict each other.
  CJPEG_DAMAGED = 1,
  /// The file is of a kind that libjpeg does not decode.
  CJPEG_UNSUPPORTED = 2,
};

struct cjpeg_result {
  unsigned width, height;
  /// 4 for files of inks, otherwise 3.
  int channels;
  unsigned notes;
  /// libjpeg's words, if the file is not read.
  char message[256];
};

/// Reads the header and, if `pixels` is given, width × height × channels samples into it.
int cjpeg_read(const unsigned char *bytes, size_t count, unsigned char *pixels, size_t capacity,
               struct cjpeg_result *result);

#ifdef __cplusplus
}
#endif
