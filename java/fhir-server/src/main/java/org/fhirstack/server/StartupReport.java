package org.fhirstack.server;

import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.SpringBootExceptionReporter;
import org.springframework.boot.context.config.ConfigDataException;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.boot.web.server.WebServerException;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.yaml.snakeyaml.error.YAMLException;

/** Says in few words why the server did not start, where that is known; where not, it leaves the stack trace to the log. */
@Order(Ordered.HIGHEST_PRECEDENCE)
public class StartupReport implements SpringBootExceptionReporter {
    private static final Logger LOG = LoggerFactory.getLogger(StartupReport.class);

    /** Keeps Spring Boot from telling the same at length. */
    @Override
    public boolean reportException(Throwable failure) {
        return true;
    }

    static ExitCode print(Throwable failure) {
        ExitCode code = codeOf(failure);
        if (code == ExitCode.FAILURE) {
            LOG.error("the server could not start", failure);
        } else {
            System.err.println("fhir-server: " + messageOf(failure));
        }
        return code;
    }

    static ExitCode codeOf(Throwable failure) {
        StartupException known = find(failure, StartupException.class);
        if (known != null) {
            return known.exitCode();
        }
        if (has(failure, t -> t instanceof ConfigDataException || t instanceof YAMLException || t instanceof BindException)) {
            return ExitCode.CONFIGURATION;
        }
        if (has(failure, t -> t instanceof PortInUseException || t instanceof java.net.BindException)) {
            return ExitCode.CANNOT_LISTEN;
        }
        return ExitCode.FAILURE;
    }

    private static String messageOf(Throwable failure) {
        StartupException known = find(failure, StartupException.class);
        if (known != null) {
            return known.getMessage();
        }
        PortInUseException port = find(failure, PortInUseException.class);
        if (port != null) {
            return "port " + port.getPort() + " is already in use";
        }
        if (has(failure, t -> t instanceof java.net.BindException)) {
            return "cannot listen: " + find(failure, java.net.BindException.class).getMessage()
                    + " (" + find(failure, WebServerException.class) + ")";
        }
        BindException bind = find(failure, BindException.class);
        if (bind != null) {
            return bind.getName() + ": " + rootOf(bind).getMessage();
        }
        return rootOf(failure).getMessage();
    }

    private static Throwable rootOf(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return root;
    }

    private static boolean has(Throwable failure, Predicate<Throwable> what) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (what.test(t)) {
                return true;
            }
        }
        return false;
    }

    private static <T extends Throwable> T find(Throwable failure, Class<T> type) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (type.isInstance(t)) {
                return type.cast(t);
            }
        }
        return null;
    }
}
