# Slicer writes <Extension>Config.cmake here; extensions that depend on this one read it.
file(WRITE "${CMAKE_BINARY_DIR}/${PROJECT_NAME}Config.cmake" "set(${PROJECT_NAME}_DEPENDS ${EXTENSION_DEPENDS})\n")
