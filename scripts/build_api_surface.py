"""Write ``Testing/standins/api_surface.json``: what the panel may use of Slicer's, CTK's and Qt's Python surface.

The facts come from the shared folder ``slicer_api`` (extracted there from the headers by Qt's moc and from Slicer's
Python sources). The copy in the checkout lets the panel tests run for people who lack that folder; a test compares the
two where both are present.

Usage:
    python scripts/build_api_surface.py [--facts FOLDER] [--check]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "Testing" / "standins" / "api_surface.json"
FACTS = REPOSITORY.parent / "shared" / "slicer_api"

QT_CLASSES = """
Qt QObject QEvent QTimer QElapsedTimer QEventLoop QCoreApplication QGuiApplication QApplication
QClipboard QSignalBlocker QProcess QProcessEnvironment QIODevice QByteArray QFile QFileInfo QDir
QTemporaryDir QStandardPaths QSettings QSysInfo QStorageInfo QUrl QDesktopServices QLocale QDateTime
QDate QTime QMetaObject QWidget QFrame QLabel QAbstractButton QPushButton QToolButton QCheckBox
QRadioButton QButtonGroup QComboBox QLineEdit QTextEdit QPlainTextEdit QTextBrowser QAbstractSpinBox
QSpinBox QDoubleSpinBox QAbstractSlider QSlider QScrollBar QProgressBar QProgressDialog QGroupBox
QAbstractScrollArea QScrollArea QTabWidget QTabBar QStackedWidget QSplitter QDialog QDialogButtonBox
QMessageBox QFileDialog QInputDialog QMainWindow QStatusBar QMenu QAction QActionGroup QShortcut
QLayout QLayoutItem QWidgetItem QSpacerItem QBoxLayout QVBoxLayout QHBoxLayout QGridLayout
QFormLayout QSizePolicy QAbstractItemView QAbstractItemModel QModelIndex QItemSelectionModel
QItemSelection QStyle QHeaderView QListView QListWidget QListWidgetItem QTableView QTableWidget
QTableWidgetItem QTreeView QTreeWidget QTreeWidgetItem QIcon QPixmap QImage QColor QFont
QFontMetrics QPalette QBrush QSize QPoint QRect QMargins QCursor QKeySequence QTextCursor
QTextDocument QWheelEvent QKeyEvent QMouseEvent QCloseEvent QShowEvent QHideEvent QResizeEvent
QUiLoader
"""

SLICER_CLASSES = """
ctkCollapsibleButton ctkCollapsibleGroupBox ctkComboBox ctkSliderWidget ctkDoubleSpinBox
ctkPathLineEdit ctkDirectoryButton ctkMessageBox qMRMLWidget qMRMLNodeComboBox
qMRMLSegmentEditorWidget qMRMLSegmentsTableView qMRMLPlotWidget qSlicerWidget qSlicerApplication
qSlicerLayoutManager qSlicerModuleManager qSlicerModuleFactoryManager qSlicerScriptedLoadableModule
qSlicerScriptedLoadableModuleWidget qSlicerSegmentEditorAbstractEffect
"""

# Bases that moc does not tell: of classes that are no QObject, and second bases. PythonQt knows them
# (``addParentClass`` in its generated code); the names are those of Qt's headers.
CPP_BASES = {
    "QWidget": ["QPaintDevice"],
    "QLayout": ["QLayoutItem"],
    "QWidgetItem": ["QLayoutItem"],
    "QSpacerItem": ["QLayoutItem"],
    "QPixmap": ["QPaintDevice"],
    "QImage": ["QPaintDevice"],
    "QInputEvent": ["QEvent"],
    "QKeyEvent": ["QInputEvent"],
    "QMouseEvent": ["QInputEvent"],
    "QWheelEvent": ["QInputEvent"],
    "QCloseEvent": ["QEvent"],
    "QShowEvent": ["QEvent"],
    "QHideEvent": ["QEvent"],
    "QResizeEvent": ["QEvent"],
    "QUiLoader": ["QObject"],
}

PYTHON_MODULES = ("slicer.util", "slicer.ScriptedLoadableModule", "slicer.packaging", "slicer.i18n")


def _split_arguments(text: str) -> list[str]:
    """Split at the commas that are not inside ``<>`` or ``()``."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]


def _argument_type(argument: str) -> str:
    """``const QString&  text = QString()`` becomes ``QString=`` (a trailing ``=``: the argument may be left out)."""
    declared, default, _ = argument.partition("=")
    declared = re.sub(r"PythonQt(?:NewOwnerOfThis|PassOwnershipToCPP|PassOwnershipToPython)<(.*)>", r"\1", declared)
    declared = re.sub(r"\bconst\b|&", " ", declared).replace("unsigned int", "uint").replace("unsigned char", "uchar")
    match = re.match(r"\s*([\w:]+\s*(?:<.*>)?[\s*]*)", declared)
    return match[1].replace(" ", "") + ("=" if default else "")


def arguments_of(declaration: str) -> list[str]:
    """The argument types of a C++ declaration or of a moc signature."""
    start = declaration.index("(")
    depth = 0
    for end in range(start, len(declaration)):
        depth += (declaration[end] == "(") - (declaration[end] == ")")
        if depth == 0:
            return [_argument_type(argument) for argument in _split_arguments(declaration[start + 1 : end])]
    raise ValueError(f"unbalanced parentheses: {declaration}")


def _declares(declaration: str, name: str) -> bool:
    """Whether this declares ``name``; the extraction also caught some statements of inline function bodies."""
    before, _, _ = declaration.partition("(")
    return not declaration.startswith("return") and before.split()[-1:] == [name] and " " in before.strip()


def _add(methods: dict[str, list], name: str, declaration: str) -> None:
    overload = arguments_of(declaration)
    overloads = methods.setdefault(name, [])
    if overload not in overloads:
        overloads.append(overload)


def _qt_class(entry: dict) -> dict:
    """One Qt class; what Qt 6 dropped is left out, because the panel has to run with both."""
    moc = entry.get("qt5") or entry.get("qt6_only") or {}
    wrapper = entry.get("pythonqt_wrapper_qt515", {})
    gone = {
        kind: set(difference.get("removed", ()))
        for kind, difference in entry.get("qt6_differences", {}).items()
        if isinstance(difference, dict)
    }
    methods: dict[str, list] = {}
    static: dict[str, list] = {}
    for kind in ("slots", "invokables"):
        for signature in moc.get(kind, ()):
            if signature not in gone.get(kind, ()):
                _add(methods, signature.split("(")[0], signature)
    for name, declarations in wrapper.get("methods", {}).items():
        for declaration in declarations:
            if _declares(declaration, name):
                _add(methods, name, declaration)
    for name, declarations in wrapper.get("static", {}).items():
        for declaration in declarations:
            if _declares(declaration, name):
                _add(static, name, declaration)
    enums = {name: list(enum["values"]) for name, enum in moc.get("enums", {}).items()}
    for enum in wrapper.get("enums", ()):
        enums.setdefault(enum["name"], list(enum["values"]))
    return {
        "bases": [moc["base"]] if moc.get("base") else [],
        "constructors": [arguments_of(declaration) for declaration in wrapper.get("constructors", ())],
        "properties": {
            name: [details["type"], details["writable"]]
            for name, details in moc.get("properties", {}).items()
            if name not in gone.get("properties", ())
        },
        "methods": methods,
        "static": static,
        "signals": [signature for signature in moc.get("signals", ()) if signature not in gone.get("signals", ())],
        "enums": enums,
    }


def _slicer_class(entry: dict) -> dict:
    methods: dict[str, list] = {}
    static: dict[str, list] = {}
    for kind in ("slots", "invokables"):
        for method in entry[kind]:
            _add(methods, method["name"], method["signature"])
    for method in entry["public_methods"]:
        _add(static if method["kind"] == "static" else methods, method["name"], method["declaration"])
    python = entry.get("python", {})
    return {
        "bases": [entry["base"]],
        "constructors": [arguments_of(python["constructor"])] if python.get("registered") else [],
        "properties": {item["name"]: [item["type"], item["writable"]] for item in entry["properties"]},
        "methods": methods,
        "static": static,
        "signals": [signal["signature"] for signal in entry["signals"]],
        "enums": {enum["name"]: list(enum["values"]) for enum in entry["enums"]},
    }


def _python_functions(functions: dict) -> dict:
    return {
        name: [
            argument["name"] + ("=" + argument["default"] if "default" in argument else "") for argument in f["args"]
        ]
        for name, f in functions.items()
        if not name.startswith("_")
    }


def _python_module(entry: dict) -> dict:
    return {
        "functions": _python_functions(entry["functions"]),
        "classes": {
            name: {
                "methods": {
                    method: [argument["name"] for argument in details["args"]]
                    for method, details in described["methods"].items()
                },
                "instance_attributes": [item["name"] for item in described.get("instance_attributes", ())],
            }
            for name, described in entry["classes"].items()
            if not name.startswith("_")
        },
        "versions": entry["versions"],
    }


def build(facts: Path) -> dict:
    """The surface of all classes above and of their bases.

    Args:
        facts: the shared folder ``slicer_api``.

    Returns:
        ``{"classes": {name: …}, "python": {module: …}}``; argument types as in C++, a trailing ``=`` marks an
        argument with a default.
    """

    def read(name: str) -> dict:
        return json.loads((facts / name).read_text(encoding="utf-8"))

    slicer_facts = {**read("qt_classes_more.json")["classes"], **read("qt_classes.json")["classes"]}
    qt_facts = read("qt_base_classes.json")["classes"]
    classes: dict[str, dict] = {}
    wanted = [
        name for name in sorted((QT_CLASSES + SLICER_CLASSES).split()) if name in slicer_facts or name in qt_facts
    ]
    while wanted:
        name = wanted.pop()
        if name in classes:
            continue
        classes[name] = _slicer_class(slicer_facts[name]) if name in slicer_facts else _qt_class(qt_facts[name])
        bases = CPP_BASES.get(name, []) if name not in slicer_facts else []
        moc_bases = [] if name in ("QWheelEvent", "QMouseEvent") else classes[name]["bases"]  # they changed it in Qt 6
        known = [base for base in [*moc_bases, *bases] if base in slicer_facts or base in qt_facts]
        classes[name]["bases"] = known
        wanted += known
    # PythonQt adds QByteArray.data() by hand (PYTHONQT.md, rule 21); the extraction lost the name of that function.
    classes["QByteArray"]["methods"]["data"] = [[]]
    python_facts = read("python_api.json")
    return {
        "about": "Written by scripts/build_api_surface.py; do not edit.",
        "classes": dict(sorted(classes.items())),
        "python": {module: _python_module(python_facts[module]) for module in PYTHON_MODULES},
    }


def rendered(surface: dict) -> str:
    """One class a line: small, and a change shows up as the line of its class."""

    def lines(entries: dict) -> str:
        return ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in entries.items()
        )

    parts = [f'"about": {json.dumps(surface["about"])}']
    parts += [f'"{part}": {{\n{lines(surface[part])}\n}}' for part in ("classes", "python")]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> int:
    """Write the file, or with ``--check`` say whether it is up to date (exit status 1 if it is not)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=Path, default=FACTS, help="the shared folder slicer_api")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args()
    if not options.facts.is_dir():
        print(f"{options.facts} is missing: name the folder slicer_api with --facts.", file=sys.stderr)
        return 2
    text = rendered(build(options.facts))
    if options.check:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.relative_to(REPOSITORY)} is {'up to date' if same else 'out of date'}")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
