from vgen.report.write import ReportPaths, write_report

__all__ = ["ReportPaths", "write_report"]
