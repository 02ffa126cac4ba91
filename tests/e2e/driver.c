/* Stands in for libcuda.so.1 and libnvidia-ml.so.1, the driver's libraries: TensorFlow finds one
   GPU by them, with compute capability 8.0, or none with CUDA_VISIBLE_DEVICES=-1 as with the real
   ones. It could compute nothing there. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAJOR = 75, MINOR = 76, NO_DEVICE = 100 };
static const size_t MEMORY = (size_t)16 << 30;
static int context;

static int hidden(void) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible && !strcmp(visible, "-1");
}

int cuInit(unsigned flags) { return hidden() ? NO_DEVICE : 0; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuGetErrorName(int error, const char **name) { *name = "stand-in"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "stand-in"; return 0; }

int cuDeviceGetCount(int *count) { *count = !hidden(); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "stand-in", length); return 0; }
int cuDeviceGetPCIBusId(char *id, int length, int device) { strncpy(id, "0000:01:00.0", length); return 0; }
int cuDeviceGetUuid(char *id, int device) { memset(id, 1, 16); return 0; }
int cuDeviceGetUuid_v2(char *id, int device) { memset(id, 1, 16); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = MEMORY; return 0; }
int cuDeviceComputeCapability(int *major, int *minor, int device) { *major = 8; *minor = 0; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == MAJOR ? 8 : attribute == MINOR ? 0 : 1024;
    return 0;
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { *flags = *active = 0; return 0; }
int cuDevicePrimaryCtxSetFlags(int device, unsigned flags) { return 0; }
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { return 0; }
int cuDevicePrimaryCtxRetain(void **out, int device) { *out = &context; return 0; }
int cuDevicePrimaryCtxRelease(int device) { return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxGetCurrent(void **out) { *out = &context; return 0; }
int cuCtxSetCurrent(void *in) { return 0; }
int cuCtxGetDevice(int *device) { *device = 0; return 0; }
int cuMemGetInfo_v2(size_t *unused, size_t *total) { *unused = *total = MEMORY; return 0; }

enum { NOT_SUPPORTED = 3 };
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return "stand-in"; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **device) { return NOT_SUPPORTED; }
