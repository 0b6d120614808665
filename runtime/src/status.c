/*===- status.c - What statuses mean -----------------------------------------===*/

#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

const char *nnc_status_message(nnc_status status) {
  switch (status) {
  case NNC_OK:
    return "success";
  case NNC_INVALID_ARGUMENT:
    return "an argument is null or out of range";
  case NNC_OUT_OF_MEMORY:
    return "out of memory, or the memory given is too small";
  case NNC_NOT_FOUND:
    return "there is no weight or file of that name";
  case NNC_SHAPE_MISMATCH:
    return "a weight's shape is not the network's";
  case NNC_BAD_FILE:
    return "this is not a valid safetensors file";
  case NNC_IO_ERROR:
    return "the system refused to read or write a file";
  case NNC_UNSUPPORTED:
    return "the machine lacks the processor or device that the network was compiled for";
  case NNC_VERSION_MISMATCH:
    return "the network was compiled for another version of the runtime";
  case NNC_MISSING_WEIGHT:
    return "the file lacks a weight of the network";
  case NNC_DEVICE_ERROR:
    return "the device's driver refused, or a kernel failed";
  case NNC_NUMERIC:
    return "a value is not finite";
  case NNC_INTERNAL:
    return "an error inside the network";
  }
  return "an unknown status";
}

const char *nnc_runtime_version(void) { return "1.0.0"; }

nnc_status nnc_fail(char *message, nnc_status status, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(message, NNC_MESSAGE_SIZE, format, values);
  va_end(values);
  return status;
}
