package org.fhirstack.gateway;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fhirstack.gateway.access.AllowList;
import org.fhirstack.gateway.config.ConfigurationException;
import org.fhirstack.gateway.config.GatewayConfiguration;
import org.fhirstack.gateway.config.Settings;
import org.slf4j.LoggerFactory;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.env.Environment;

/** Starts the gateway, or checks an allow-list file. */
public final class Gateway {
    /** The configuration is wrong (EX_CONFIG of sysexits.h). */
    private static final int BAD_CONFIGURATION = 78;
    private static final String LOGGING = "fhir-gateway-logback.xml";

    private Gateway() {
    }

    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals("--lint-allowed-queries")) {
            System.exit(lint(args));
        }
        try {
            start(System.getenv(), args);
        } catch (ConfigurationException e) {
            System.err.println(e.getMessage());
            System.exit(BAD_CONFIGURATION);
        } catch (RuntimeException e) {
            ConfigurationException wrong = cause(e, ConfigurationException.class);
            PortInUseException inUse = cause(e, PortInUseException.class);
            System.err.println(wrong != null ? wrong.getMessage() : "fhir-gateway cannot start: "
                    + (inUse != null ? inUse.getMessage() : root(e)));
            System.exit(wrong != null ? BAD_CONFIGURATION : 1);
        }
    }

    /** Starts with this environment; returns when requests are served. */
    public static GenericApplicationContext start(Map<String, String> env, String... args)
            throws ConfigurationException {
        Settings settings = Settings.load(env);
        useOwnLogging();
        SpringApplication app = new SpringApplication(GatewayConfiguration.class);
        app.setBannerMode(Banner.Mode.OFF);
        app.setRegisterShutdownHook(true);
        ApplicationContextInitializer<GenericApplicationContext> known = context -> {
            needTwoPorts(context.getEnvironment());
            context.registerBean(Settings.class, () -> settings);
        };
        app.addInitializers(known);
        return (GenericApplicationContext) app.run(args);
    }

    /** The Info Gateway's jar has a logback.xml too, which would be found first and complains. */
    private static void useOwnLogging() {
        if (System.getProperty("logging.config") == null) {
            System.setProperty("logging.config", "classpath:" + LOGGING);
            System.setProperty("logback.configurationFile", LOGGING);
            LoggerFactory.getILoggerFactory();
            System.clearProperty("logback.configurationFile");
        }
    }

    private static void needTwoPorts(Environment environment) {
        String port = environment.getProperty("server.port", "");
        if (!port.equals("0") && port.equals(environment.getProperty("management.server.port"))) {
            throw new IllegalStateException(new ConfigurationException(List.of("management.server.port must not be"
                    + " server.port: health and metrics would be public")));
        }
    }

    private static String root(Throwable e) {
        Throwable t = e;
        while (t.getCause() != null) {
            t = t.getCause();
        }
        return t.getMessage() == null ? t.toString() : t.getMessage();
    }

    private static <T extends Throwable> T cause(Throwable e, Class<T> kind) {
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (kind.isInstance(t)) {
                return kind.cast(t);
            }
        }
        return null;
    }

    private static int lint(String[] args) {
        if (args.length != 2) {
            System.err.println("usage: --lint-allowed-queries FILE");
            return 2;
        }
        try {
            AllowList.Result result = AllowList.read(Files.readAllBytes(Path.of(args[1])));
            result.problems().forEach(System.out::println);
            System.out.println(result.problems().isEmpty() ? "ok" : result.problems().size() + " problems");
            return result.problems().isEmpty() ? 0 : 1;
        } catch (IOException e) {
            System.err.println("cannot read " + args[1]);
            return 2;
        }
    }
}
