/*===- safetensors.c - Files of weights --------------------------------------===*/

#include "internal.h"

nnc_status nnc_model_load(nnc_model *model, const char *path) {
  return model && path ? nnc_model_fail(model, NNC_UNSUPPORTED, "files are not read yet") : NNC_INVALID_ARGUMENT;
}

nnc_status nnc_model_load_memory(nnc_model *model, const void *bytes, size_t size) {
  (void)size;
  return model && bytes ? nnc_model_fail(model, NNC_UNSUPPORTED, "files are not read yet") : NNC_INVALID_ARGUMENT;
}

nnc_status nnc_model_save(nnc_model *model, const char *path) {
  return model && path ? nnc_model_fail(model, NNC_UNSUPPORTED, "files are not written yet") : NNC_INVALID_ARGUMENT;
}
