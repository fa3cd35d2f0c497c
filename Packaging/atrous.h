/* The C interface of Atrous: libatrous.so of wheel and archive, which needs libtorch beside it.
 *
 * A function that can fail returns 0, or 1 and a message in `error` that atrous_free frees. Any thread may call any of
 * these; one image at a time goes through a session. */
#ifndef ATROUS_H
#define ATROUS_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of Atrous; free it. */
char *atrous_version(void);
void atrous_free(char *text);

/* Opens a network: a run's folder, a checkpoint, an ONNX file, or one of the package where `path` is null. `options` is
 * null or a JSON object with packaged ("streets", which it is without, or "vessels"), overrides (list of texts), device
 * ("cpu", "cuda:0"), precision ("float32", "bfloat16", "int8"), memoryBudget (bytes), tiles, scales (list of numbers), flip. */
int atrous_open(const char *path, const char *options, void **session, char **error);
void atrous_close(void *session);

/* JSON with classes (names), colors (rows of red, green, blue), bands and notes; free it. */
char *atrous_describe(void *session);

/* An image from a file, decoded and turned as the network reads images; or from pixels of 8 bits, (height, width, bands)
 * without gaps, which are copied. */
int atrous_image_open(void *session, const char *path, void **image, int64_t *width, int64_t *height, char **error);
int atrous_image_make(void *session, const uint8_t *pixels, int64_t width, int64_t height, int64_t bands,
                      void **image, char **error);
void atrous_image_close(void *image);

/* Finds the class of each pixel, uint8 (height, width), 255 where nothing was measured, and, unless `probabilities` is
 * null, float32 (classes, height, width). Each is an array of its own, whose numbers may be read and written where they are
 * until it is closed, whatever becomes of session, image and the other array. */
int atrous_predict(void *session, void *image, void **labels, void **probabilities, char **error);
void *atrous_array_numbers(void *array);
void atrous_array_close(void *array);

/* Scores a network on its data; options as above, and split. The result is JSON; free it. */
int atrous_evaluate(const char *path, const char *options, char **result, char **error);

#ifdef __cplusplus
}
#endif
#endif
